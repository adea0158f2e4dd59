"""What is given out: wheel and source distribution, Debian package, container image, release."""
