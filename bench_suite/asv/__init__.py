"""The catalogue as benchmarks of asv (airspeed velocity); ``asv.conf.json`` is the configuration for a checkout."""
