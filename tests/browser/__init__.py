"""The portal as people meet it: real processes, Debian's Chromium, the cast of the demo."""
