"""Sensors of power and energy: what each tells, where, and how often."""
