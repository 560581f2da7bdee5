#!/bin/bash
# A function in miniature: speaks the runtime API over /dev/tcp and does what each event's first word says.
# STUB_START decides how it starts: normally, `refuse`, `init-error` or `never` (asks for no event at all).
set -u

# call METHOD PATH BODY: one request to the runtime API; leaves `status`, `request_id`, `headers` and `body` behind.
call() {
  local line length=0
  exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API%:*}/${AWS_LAMBDA_RUNTIME_API#*:}"
  printf '%s /2018-06-01/runtime/%s HTTP/1.1\r\nHost: runtime\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s' \
    "$1" "$2" "${#3}" "$3" >&3
  read -r _ status _ <&3
  headers=
  while IFS= read -r line <&3 && line=${line%$'\r'} && [ -n "$line" ]; do
    case ${line,,} in
      lambda-runtime-aws-request-id:*) request_id=${line#*: } ;;
      content-length:*) length=${line#*: } ;;
    esac
    headers+="${line,,};"
  done
  body=
  [ "$length" -eq 0 ] || IFS= read -r -N "$length" body <&3
  exec 3>&-
}

case ${STUB_START:-} in
  refuse)
    echo 'not started: API_KEYS is not set' >&2
    exit 3
    ;;
  init-error)
    call POST init/error '{"errorType": "Stub.Init", "errorMessage": "cannot start", "stackTrace": []}'
    exit 1
    ;;
  never) exec sleep 600 ;;
esac
echo 'started'

while call GET invocation/next ''; do
  event=$body event_headers=$headers
  case ${event%% *} in
    env) name=${event#* } && call POST "invocation/$request_id/response" "${!name-unset}" ;;
    headers) call POST "invocation/$request_id/response" "$event_headers" ;;
    fail) call POST "invocation/$request_id/error" '{"errorType": "Stub.Failed", "errorMessage": "as told"}' ;;
    crash)
      echo 'about to crash' >&2
      exit 7
      ;;
    hang) exec sleep 600 ;;
    answer-another) # A response under a request id that is not ours, then the right one with the status that came.
      mine=$request_id
      call POST invocation/00000000-0000-0000-0000-000000000000/response ''
      call POST "invocation/$mine/response" "$status"
      ;;
    burn)
      for ((i = 0; i < 300000; i++)); do :; done
      call POST "invocation/$request_id/response" 'burnt'
      ;;
    *) call POST "invocation/$request_id/response" "$event" ;;
  esac
done
