"""A filter and a weigher that let an unpatched nova-scheduler ask Emplace. README.md says how to switch them on."""

from emplace_nova.hook import EmplaceFilter, EmplaceWeigher

__all__ = ["EmplaceFilter", "EmplaceWeigher"]
