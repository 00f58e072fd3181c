#!/bin/sh
# Runs a launcher as two processes on this host, which share each step: what several machines do, in small.
#
#   launch/two_workers.sh search --flagfile=flags/digits_macro.flags --workdir=runs/two --then=retrain,export
#
# PYTHON names the interpreter, PORT the first of two free ports. What the second process says goes to stderr.
# A signal is passed on to both; the exit code is the first process's.
set -u
python=${PYTHON:-python}
port=${PORT:-$((20000 + $$ % 20000))}
name=$1
shift

start() {  # index, arguments
    index=$1
    shift
    TF_CONFIG="{\"cluster\": {\"worker\": [\"127.0.0.1:$port\", \"127.0.0.1:$((port + 1))\"]}, \"task\": {\"type\": \"worker\", \"index\": $index}}" \
        exec "$python" -m "enas_tf.launch.$name" --strategy=multi_worker "$@"
}

start 1 "$@" >&2 &
second=$!
start 0 "$@" &
first=$!
trap 'kill -TERM $first $second 2>/dev/null' TERM INT
trap 'kill -USR1 $first $second 2>/dev/null' USR1
# A signal ends `wait` before the process has ended.
while kill -0 $first 2>/dev/null; do wait $first; code=$?; done
kill -0 $second 2>/dev/null && sleep 5
kill -TERM $second 2>/dev/null
wait $second
exit $code
