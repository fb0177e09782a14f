import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { cpuQuota } from "../../core/free-cores.ts";
import { countWrong } from "../../engine/local/runtime.ts";
import { checkNode, checkRuntime, checkThreads, requiredNode, thisPlatform } from "./machine.ts";

test("Node must be as new as package.json says", () => {
  expect(requiredNode()).toMatch(/^>=\d+\.\d+$/);
  expect(checkNode("20.18.3", ">=20.19")).toMatchObject({
    status: "failed",
    found: "20.18.3, at least 20.19 is needed",
    advice: expect.stringContaining("Node 20.19 or later"),
  });
  expect(checkNode("18.20.0", ">=20.19").status).toBe("failed");
  for (const version of ["20.19.0", "20.20.2", "22.1.0", "100.0.0"]) {
    expect(checkNode(version, ">=20.19").status, version).toBe("ok");
  }
  expect(checkNode(process.versions.node, requiredNode()).status).toBe("ok");
});

describe("the runtime", () => {
  const linux = { platform: "linux", arch: "x64", glibc: "2.36" };
  const throws = (message: string) => async () => {
    throw new Error(message);
  };

  test("loads and multiplies on this machine", async () => {
    expect(await checkRuntime(thisPlatform())).toEqual({
      status: "ok",
      found: expect.stringMatching(/^onnxruntime-node \d+\.\d+\.\d+ loads, and a product is right/),
    });
  });

  test("that computes something else fails", async () => {
    const trial = async () => ({ version: "1.0.0", wrong: 3, elements: 4096 });
    expect(await checkRuntime(linux, trial)).toMatchObject({
      status: "failed",
      found: "onnxruntime-node 1.0.0 computed 3 of 4096 numbers of a product wrongly",
    });
    const identity = Float32Array.from({ length: 4096 }, (_, i) => (i % 65 === 0 ? 1 : 0));
    const product = Float32Array.from(identity);
    expect(countWrong(identity, identity, product)).toBe(0);
    product[7] = Number.NaN;
    product[65] = 1.5;
    expect(countWrong(identity, identity, product)).toBe(2);
  });

  test.each([
    [
      "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by libonnxruntime.so.1)",
      linux,
      /newer system than this one with glibc 2\.36/,
    ],
    [
      "Error loading shared library ld-linux-x86-64.so.2: No such file or directory",
      { platform: "linux", arch: "x64" },
      /needs glibc.*Debian or Ubuntu image instead of Alpine/,
    ],
    [
      "Cannot find module '../bin/napi-v6/freebsd/x64/onnxruntime_binding.node'",
      { platform: "freebsd", arch: "x64" },
      /no library for freebsd on x64/,
    ],
    ["Cannot find module 'onnxruntime-node'", linux, /^install the packages: npm ci$/],
  ])("that cannot be loaded says why: %s", async (message, platform, advice) => {
    const finding = await checkRuntime(platform, throws(`${message}\nRequire stack: …`));
    expect(finding).toEqual({
      status: "failed",
      found: `onnxruntime-node cannot be loaded: ${message}`,
      advice: expect.stringMatching(advice),
    });
  });
});

describe("threads", () => {
  test.each([
    [0, { usable: 4, load: 0.2 }, "ok", "4 threads on 4 cores", 4],
    [1, { usable: 1, load: 0 }, "ok", "1 thread on 1 core", 1],
    [8, { usable: 4, load: 0 }, "warning", "8 threads on 4 cores; what follows is tried with 4", 4],
    [
      0,
      { usable: 8, quota: 2.5, load: 0 },
      "warning",
      "8 threads on 8 cores, of which a quota leaves 2; what follows is tried with 2",
      2,
    ],
    [2, { usable: 8, quota: 2.5, load: 0 }, "ok", "2 threads on 8 cores, of which a quota leaves 2", 2],
    [1, { usable: 8, quota: 0.5, load: 0 }, "ok", "1 thread on 8 cores, of which a quota leaves 1", 1],
    [
      2,
      { usable: 4, load: 3.26 },
      "warning",
      "2 threads on 4 cores; over the last minute 3.3 processes wanted one",
      2,
    ],
  ] as const)("%i asked of %j: %s", (threads, cores, status, found, value) => {
    expect(checkThreads(threads, cores)).toMatchObject({ status, found, value });
  });

  test("beyond what there is are told the number to take", () => {
    expect(checkThreads(8, { usable: 8, quota: 2, load: 0 }).advice).toMatch(/--threads 2$/);
  });
});

describe("a container's quota", () => {
  /** A tree of control groups as Linux shows it. */
  function groups(lines: string, files: Record<string, string>) {
    const folder = mkdtempSync(join(tmpdir(), "mulligan-cgroup-"));
    writeFileSync(join(folder, "cgroup"), lines);
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(folder, "fs", name, ".."), { recursive: true });
      writeFileSync(join(folder, "fs", name), text);
    }
    const quota = cpuQuota({ groups: join(folder, "cgroup"), mount: join(folder, "fs") });
    rmSync(folder, { recursive: true });
    return quota;
  }

  test("is the smallest of its group and the groups above", () => {
    const files = {
      "pods/a/cpu.max": "400000 100000\n",
      "pods/cpu.max": "150000 100000\n",
      "cpu.max": "max 100000\n",
    };
    expect(groups("0::/pods/a\n", files)).toBe(1.5);
  });

  test("is found at the top where the path is the host's", () => {
    expect(groups("0::/docker/1234\n", { "cpu.max": "200000 100000\n" })).toBe(2);
  });

  test("is read in the older form too", () => {
    const files = {
      "cpu,cpuacct/a/cpu.cfs_quota_us": "300000\n",
      "cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
    };
    expect(groups("4:memory:/a\n3:cpu,cpuacct:/a\n", files)).toBe(3);
    const none = { "cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n" };
    expect(groups("3:cpu:/\n", none)).toBeUndefined();
  });

  test("may not be there at all", () => {
    expect(groups("0::/\n", { "cpu.max": "max 100000\n" })).toBeUndefined();
    expect(cpuQuota({ groups: "/nowhere", mount: "/nowhere" })).toBeUndefined();
  });
});
