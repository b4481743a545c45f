"""includes.py must find each kind of fault in a made-up tree, and none in a clean one."""

import os
import tempfile
import unittest

import includes


class Includes(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.root = self.directory.name
        self.write("service/core/picture/picture.h", "")
        self.write("service/store/claims.cc", '#include "service/core/picture/picture.h"\n#include <vector>\n')
        self.write("plugins/one/one.cc", '#include "emplace/plugin.h"\n')
        self.write("api/plugin/emplace/plugin.h", "")

    def tearDown(self):
        self.directory.cleanup()

    def write(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)

    def fault(self, part):
        found = includes.faults(self.root)
        self.assertTrue(any(part in line for line in found), found)

    def test_a_clean_tree_has_no_faults(self):
        self.assertEqual(includes.faults(self.root), [])

    def test_core_includes_no_door(self):
        self.write("service/core/act/scheduler.cc", '#include "service/store/store.h"\n')
        self.write("service/store/store.h", "")
        self.fault("service/core/act may not include service/store/store.h")

    def test_no_door_includes_another(self):
        self.write("service/rest/api.cc", '#include "service/store/store.h"\n')
        self.write("service/store/store.h", "")
        self.fault("service/rest may not include service/store/store.h")

    def test_alcoves_of_the_core_include_only_those_below(self):
        self.write("service/core/decide/rank.cc", '#include "service/core/picture/picture.h"\n')
        self.assertEqual(includes.faults(self.root), [])
        self.write("service/core/base/uuid.h", '#include "service/core/picture/picture.h"\n')
        self.fault("service/core/base may not include service/core/picture/picture.h")

    def test_the_core_has_no_files_beside_its_alcoves(self):
        self.write("service/core/leftover.h", "")
        self.fault("service/core/leftover.h: lies in no room")
        self.write("service/elsewhere/thing.h", "")
        self.fault("service/elsewhere/thing.h: lies in no room")

    def test_transport_knows_no_picture(self):
        self.write("service/http/server.cc", '#include "service/core/picture/picture.h"\n')
        self.fault("service/http may not include service/core/picture/picture.h")

    def test_no_plugin_includes_another_or_the_core(self):
        self.write("plugins/two/two.cc", '#include "plugins/one/one.h"\n#include "service/core/picture/picture.h"\n')
        self.write("plugins/one/one.h", "")
        self.fault("plugins/two may not include plugins/one/one.h")
        self.fault("plugins/two may not include service/core/picture/picture.h")

    def test_of_the_command_line_only_the_checker_includes_the_service(self):
        self.write("cli/check/cluster.h", '#include "service/core/picture/picture.h"\n')
        self.assertEqual(includes.faults(self.root), [])
        self.write("cli/hosts.cc", '#include "service/core/picture/picture.h"\n')
        self.fault("cli may not include service/core/picture/picture.h")

    def test_cycles_are_found(self):
        self.write("service/core/base/a.h", '#include "service/core/base/b.h"\n')
        self.write("service/core/base/b.h", '#include "service/core/base/a.h"\n')
        self.fault("cycle: service/core/base/a.h -> service/core/base/b.h -> service/core/base/a.h")

    def test_a_room_nobody_planned_is_found(self):
        self.write("service/core/util/strings.h", "")
        self.fault("no folder is called util")

    def test_an_empty_tree_is_a_fault(self):
        with tempfile.TemporaryDirectory() as empty:
            self.assertNotEqual(includes.faults(empty), [])


if __name__ == "__main__":
    unittest.main()
