"""The trained reader and verifier: the shipped weights with their card, and the commands that make and measure them."""
