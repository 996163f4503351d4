"""The label tree: its form (:mod:`.tree`), and how it is made (:mod:`.trie`, :mod:`.kmeans`, :mod:`.hybrid`).

Nothing is imported here: serving reads trees and must not load what makes them.
"""
