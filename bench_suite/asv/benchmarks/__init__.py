"""What asv discovers: ``networks``. A folder of your own takes it over with
``from bench_suite.asv.benchmarks.networks import *``.
"""
