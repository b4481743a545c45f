"""The cases of cases/*.yaml: each file is named by the sentence that it shows, and is a list of steps on an empty picture.

    - GET|POST|PUT|PATCH|DELETE: /path        "{name}" is what an earlier step saved
      body: ...                               JSON; `text: ...` for anything else
      headers: {...}
      status: 200
      json: ...                               see matching.py
      answer_headers: {...}
      save: {claim: claim.id}                 paths into the answer; "header:etag" for a header
"""

import pathlib
import re
import unittest

import yaml

import service
from matching import difference

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def replaced(value, saved):
    if isinstance(value, str):
        if match := re.fullmatch(r"\{(\w+)\}", value):
            return saved.get(match[1], value)
        return re.sub(r"\{(\w+)\}", lambda m: str(saved.get(m[1], m[0])), value)
    if isinstance(value, list):
        return [replaced(one, saved) for one in value]
    if isinstance(value, dict):
        return {key: replaced(one, saved) for key, one in value.items()}
    return value


def at(answer, path):
    if path.startswith("header:"):
        return answer.headers[path.removeprefix("header:")]
    value = answer.json
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


class Cases(unittest.TestCase):
    def run_steps(self, steps):
        emplace = service.shared()
        emplace.reset()
        saved = {}
        for number, raw in enumerate(steps, 1):
            step = replaced(raw, saved)
            method = next(m for m in METHODS if m in step)
            answer = emplace.call(method, step[method], step.get("text", step.get("body")), step.get("headers"))
            where = f"step {number}, {method} {step[method]}"
            self.assertEqual(answer.status, step["status"], f"{where}: {answer}")
            if "json" in step:
                self.assertIsNone(difference(step["json"], answer.json), f"{where}: {answer}")
            for name, wanted in step.get("answer_headers", {}).items():
                self.assertIsNone(difference(wanted, answer.headers.get(name)), f"{where}: {name}")
            for name, path in step.get("save", {}).items():
                saved[name] = at(answer, path)


def _add_cases():
    for path in sorted(pathlib.Path(__file__).with_name("cases").glob("*.yaml")):
        steps = yaml.safe_load(path.read_text())

        def test(self, steps=steps):
            self.run_steps(steps)

        setattr(Cases, "test_" + re.sub(r"\W", "_", path.stem), test)


_add_cases()
tearDownModule = service.stop_shared

if __name__ == "__main__":
    unittest.main()
