"""Sensors of power and energy: what each tells, where, and how often; and how energy is taken from them."""
