// A client made from the contract alone (openapi-typescript, openapi-fetch), against a running emplaced: it places, explains,
// claims, lists and watches. That it compiles with `strict` shows that the types are there; each step is checked.
//
//     node out/client.js URL TOKEN

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./emplace.js";

type Schemas = components["schemas"];
type Events = Schemas["Events"];
type AnyEvent = { [Kind in keyof Events]: { id: number; event: Kind; data: Events[Kind] } }[keyof Events];

const [url, token] = process.argv.slice(2);
assert(url && token, "wanted URL and TOKEN");
const headers = { Authorization: `Bearer ${token}` };
const emplace = createClient<paths>({ baseUrl: url, headers });

/** The answer, or what was wrong as an exception. */
function good<Data>(answer: { data?: Data; error?: unknown; response: Response }): Data {
  if (answer.data === undefined) throw new Error(`${answer.response.status} ${JSON.stringify(answer.error)}`);
  return answer.data;
}

/** The events after `seq`, one after the other. */
async function* watch(seq: number): AsyncGenerator<AnyEvent> {
  const response = await fetch(`${url}/v1/events?after=${seq}`, { headers });
  assert(response.body);
  let text = "";
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    text += part;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const fields = new Map(text.slice(0, end).split("\n").map((line) => [line.split(":", 1)[0], line.replace(/^\w*: ?/, "")]));
      text = text.slice(end + 2);
      if (fields.has("event")) yield { id: Number(fields.get("id")), event: fields.get("event"), data: JSON.parse(fields.get("data") ?? "") } as AnyEvent;
    }
  }
}

async function importHosts(): Promise<void> {
  const host = { vcpus: 16, memory_mib: 65536, disk_gib: 500, reserved_memory_mib: 1024 };
  const body: Schemas["Inventory"] = {
    hosts: [{ name: "ts-1", ...host }, { name: "ts-2", ...host }, { name: "ts-3", ...host, state: "disabled" }],
    groups: [{ name: "ts", policy: "anti-affinity" }],
  };
  assert.equal(good(await emplace.POST("/v1/inventory:import", { body })).changes, 4);
}

async function place(): Promise<Schemas["Claim"]> {
  const placement = good(
    await emplace.POST("/v1/placements", {
      params: { header: { "Idempotency-Key": "ts-first" } },
      body: { vm: { name: "ts-web-1", vcpus: 2, memory_mib: 2048, project: "ts", group: "ts" }, claim: true, ttl_s: 600 },
    }),
  );
  assert("ranking" in placement);
  const best = placement.ranking[0];
  assert(best && placement.claim);
  assert.equal(best.front, true);
  for (const cost of Object.values(best.costs)) assert.equal(typeof cost.unit, "string");
  assert.equal(placement.refused?.count, 1);
  assert.equal(placement.claim.host, best.host);
  return placement.claim;
}

async function explain(claim: Schemas["Claim"]): Promise<void> {
  const query = { vm: claim.vm, project: "ts", sort: "-made_at" as const };
  const head = good(await emplace.GET("/v1/decisions", { params: { query } })).decisions[0];
  assert(head?.vm_name === "ts-web-1" && head.host === claim.host);
  const decision = good(
    await emplace.GET("/v1/decisions/{id}", { params: { path: { id: head.id }, query: { explain: "full" } } }),
  ).decision;
  assert("hosts" in decision && decision.hosts);
  const refused = decision.hosts.find((host) => host.name === "ts-3");
  assert.equal(refused?.code, "state.disabled");
  const replay = good(await emplace.POST("/v1/decisions/{id}:replay", { params: { path: { id: head.id } } }));
  assert.equal(replay.identical, true);
}

async function whatIf(): Promise<void> {
  const what_if: Schemas["Change"][] = [
    { kind: "host", name: "ts-3", state: "enabled" },
    { kind: "host_removed", name: "ts-2" },
  ];
  const body = { vm: { vcpus: 1, memory_mib: 64 }, what_if };
  const placement = good(await emplace.POST("/v1/placements", { body }));
  assert("ranking" in placement);
  assert.deepEqual(placement.ranking.map((ranked) => ranked.host).sort(), ["ts-1", "ts-3"]);
}

async function claimOne(host: string): Promise<Schemas["Claim"]> {
  const body = { host, vm: { name: "ts-web-2", vcpus: 1, memory_mib: 64, project: "ts" } };
  const claim = good(await emplace.POST("/v1/claims", { body }));
  assert.equal(claim.state, "held");
  return good(
    await emplace.PUT("/v1/claims/{id}:confirm", { params: { path: { id: claim.id } }, body: { state: "running" } }),
  );
}

async function list(): Promise<number> {
  const names: string[] = [];
  let seq: number | undefined;
  for (let marker: string | undefined; ; ) {
    const query = { project: "ts", name_prefix: "ts-web", sort: "name" as const, limit: 1, ...(marker === undefined ? {} : { marker }) };
    const page = good(await emplace.GET("/v1/vms", { params: { query } }));
    names.push(...page.vms.map((vm) => vm.name));
    seq ??= page.event_seq;
    const next = page.next && new URL(page.next, url).searchParams.get("marker");
    if (!next) break;
    marker = next;
  }
  assert.deepEqual(names, ["ts-web-1", "ts-web-2"]);
  const hosts = good(await emplace.GET("/v1/hosts", { params: { query: { state: "disabled" } } })).hosts;
  assert.deepEqual(hosts.map((host) => [host.name, host.reserved_memory_mib, host.free.vcpus]), [["ts-3", 1024, 16]]);
  return seq ?? 0;
}

async function follow(seq: number, claim: Schemas["Claim"]): Promise<void> {
  const released = await emplace.DELETE("/v1/claims/{id}", { params: { path: { id: claim.id } } });
  assert.equal(released.response.status, 204);
  const group = await emplace.PUT("/v1/groups/{name}", { params: { path: { name: "ts-2" } }, body: { policy: "affinity" } });
  assert.equal(group.response.headers.get("ETag"), '"1"');
  for await (const one of watch(seq)) {
    assert(one.id > seq);
    if (one.event === "vm_removed") assert.equal(one.data.claim, claim.id);
    if (one.event === "group" && one.data.name === "ts-2") break;
  }
}

async function refused(): Promise<void> {
  const answer = await emplace.GET("/v1/claims/{id}", { params: { path: { id: "5b0c9f1e-6a34-4b7e-9b8e-999999999999" } } });
  assert(answer.error && "code" in answer.error);
  assert.equal(answer.error.code, "emplace.not_found");
}

await importHosts();
const claim = await place();
await explain(claim);
await whatIf();
await claimOne(claim.host === "ts-1" ? "ts-2" : "ts-1");
await follow(await list(), claim);
await refused();
console.log("the client placed, explained, claimed, listed and watched");
process.exit(0);
