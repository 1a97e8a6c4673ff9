"""Public benchmarks: one file a suite, each giving figures with their 95 % interval and what is aimed at."""
