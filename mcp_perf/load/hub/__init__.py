"""What gevent needs: waiting, waking, other threads, and the process that they share."""
