-- Puts a fresh 1 KiB secret with every request. Arguments: token, value, prefix.
local counter, thread_number = 0, 0
function setup(thread)
  thread_number = thread_number + 1
  thread:set("number", thread_number)
end
function init(args)
  headers = { ["X-Vault-Token"] = args[1], ["Content-Type"] = "application/json" }
  body = '{"data":{"value":"' .. args[2] .. '"}}'
  prefix = args[3]
end
function request()
  counter = counter + 1
  local path = "/v1/bench/data/" .. prefix .. "-" .. number .. "-" .. counter
  return wrk.format("POST", path, headers, body)
end
function done(summary, latency, requests)
  local errors = summary.errors.status + summary.errors.connect + summary.errors.read
    + summary.errors.write + summary.errors.timeout
  io.write(string.format("RESULT %d %d %d %d\n", summary.requests, summary.duration, errors,
    latency:percentile(99)))
end
