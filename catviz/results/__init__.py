"""Tables and figures of many runs, made from a store of result lines and nothing else.

>>> from catviz.results.page import write_results
>>> write_results("results", "outputs/figures")  # doctest: +SKIP
"""
