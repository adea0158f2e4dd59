"""What a QR code holds, and beginnings of pictures that can show one."""

from base64 import b64encode
from typing import Final

PNG: Final = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (264).to_bytes(4, "big") * 2 + b"\x08\0\0\0\0CRC4\0\0\4\0IDAT"
"""A PNG of 264 by 264 pixels up to its first data chunk."""

PNG_BASE64: Final = b64encode(PNG).decode()
PNG_URL: Final = "data:image/png;base64," + PNG_BASE64

CODE: Final = "2@EXAMPLEexampleEXAMPLEexample,EXAMPLEexample=,EXAMPLEexample=,EXAMPLE="
"""What WhatsApp's code holds, made up."""
