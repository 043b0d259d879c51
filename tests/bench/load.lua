-- One kind of request, over and over, as fast as the server answers.
-- Arguments: token, kind, value (1 KiB), prefix of the names; for `fill` and `any` the first secret
-- and the number after the last one.
local threads, counter = 0, 0
local kinds = {}

local function secret(name)
  return "/v1/bench/data/" .. name
end

-- One of the first hundred secrets that the preparation wrote.
function kinds.get()
  return wrk.format("GET", secret("get-" .. counter % 100), headers)
end

-- A fresh secret each time.
function kinds.put()
  return wrk.format("POST", secret(prefix .. "-" .. number .. "-" .. counter), headers, body)
end

-- One of 500 secrets, which are written again and again.
function kinds.hot()
  return wrk.format("POST", secret(prefix .. "-" .. counter % 500), headers, body)
end

-- One of a hundred, so that there is something to save and hardly more to keep.
function kinds.few()
  return wrk.format("POST", secret("few-" .. counter % 100), headers, body)
end

-- The folder of a hundred names that the preparation wrote.
function kinds.list()
  return wrk.format("GET", "/v1/bench/metadata/folder?list=true", headers)
end

-- Nine gets and a put.
function kinds.mixed()
  return counter % 10 == 0 and kinds.hot() or kinds.get()
end

-- One field of a secret, provided that it is as this client left it. Each thread is one client with
-- a secret of its own, so that it knows the version.
local version = 1
function kinds.patch()
  local patch = string.format('{"options":{"cas":%d},"data":{"changed":"%032d"}}', version, counter)
  return wrk.format("PATCH", secret(prefix .. "-" .. number), patch_headers, patch)
end

local function grown(index)
  return secret(string.format("grow/%d/%d", math.floor(index / 1000), index % 1000))
end

-- Secrets in folders of a thousand, each once; says when all are there.
local filled = 0
function kinds.fill()
  return wrk.format("POST", grown(first + counter % (after - first)), headers, body)
end

-- Any of the secrets that `fill` made.
function kinds.any()
  return wrk.format("GET", grown(math.random(first, after - 1)), headers)
end

local function patched(status)
  if status == 200 then version = version + 1 end
end

local function tell_when_full()
  filled = filled + 1
  -- Some more than there are: those that were asked for last may be cut off.
  if filled == after - first + 300 then
    io.write("FULL\n")
    io.flush()
  end
end

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  local kind = args[2]
  headers = { ["X-Vault-Token"] = args[1], ["Content-Type"] = "application/json" }
  patch_headers = { ["X-Vault-Token"] = args[1],
    ["Content-Type"] = "application/merge-patch+json" }
  body = '{"data":{"value":"' .. args[3] .. '"}}'
  prefix, first, after = args[4], tonumber(args[5]), tonumber(args[6])
  math.randomseed(number + 1)
  make = kinds[kind]
  if kind == "patch" then response = patched end
  if kind == "fill" then response = tell_when_full end
end

function request()
  counter = counter + 1
  return make()
end

function done(summary, latency, requests)
  local errors = summary.errors.status + summary.errors.connect + summary.errors.read
    + summary.errors.write + summary.errors.timeout
  io.write(string.format("RESULT %d %d %d %d %d %d\n", summary.requests, summary.duration, errors,
    latency:percentile(50), latency:percentile(99), latency.max))
end
