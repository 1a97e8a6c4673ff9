"""Every door through which a person or a program asks."""
