"""Benchmarks: programs with a JSON result, whose figures compare within one run."""
