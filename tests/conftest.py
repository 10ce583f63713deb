# SPDX-License-Identifier: BSD-3-Clause
"""How hypothesis searches: the same examples in every run, others and more in `make stress`.

No example has a time limit: machines may be slow.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "test",
    deadline=None,
    derandomize=True,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile(
    "stress", settings.get_profile("test"), derandomize=False, max_examples=2000
)
settings.load_profile("test")
