"""The engines behind the seams, one file each, none importing another."""
