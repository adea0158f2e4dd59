"""A sidecar reverse proxy that makes a WhatsApp gateway tell the truth about its sessions."""

__version__ = "0.1.0"
