#!/bin/sh
trap 'exit 0' TERM
echo The shop sells {{item}}
echo open >/door &
sleep 600 &
wait $!
