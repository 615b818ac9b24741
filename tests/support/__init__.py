"""What tests of several folders share: runs that never happened, pages, commands, waiting."""
