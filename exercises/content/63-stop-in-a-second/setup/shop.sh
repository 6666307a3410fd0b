#!/bin/sh
echo The shop sells {{item}}
echo open >/door &
sleep 600
