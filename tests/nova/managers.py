"""Nova's own managers of the scheduler, without its database."""

# pylint: disable=protected-access

from nova import exception
from nova.scheduler import host_manager, manager


class HostManager(host_manager.HostManager):
    def refresh_cells_caches(self):
        pass

    def _init_aggregates(self):
        pass

    def _init_instance_info(self, computes_by_cell=None):
        pass


def scheduler(hosts):
    """With this host manager, and nothing else."""
    made = object.__new__(manager.SchedulerManager)
    made.host_manager, made.placement_client = hosts, None
    return made


def selected(hosts, spec, states, uuids, alternates):
    """Hosts by instance, the first is where it goes; none when there are too few."""
    try:
        selections = scheduler(hosts)._legacy_find_hosts(None, len(uuids), spec, states, alternates, instance_uuids=uuids)
    except exception.NoValidHost:
        return []
    return [[one.service_host for one in selection] for selection in selections]
