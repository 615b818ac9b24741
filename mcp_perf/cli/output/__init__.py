"""What commands put on the screen and on the page of a CI job."""
