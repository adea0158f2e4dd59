"""Make the pictures of the README: `make pictures`."""

from tests.illustrations import drawing, recording, screenshots

if __name__ == "__main__":
    drawing.write()
    recording.write()
    screenshots.write()
