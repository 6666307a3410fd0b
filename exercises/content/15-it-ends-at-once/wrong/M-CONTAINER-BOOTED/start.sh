#!/bin/sh
sleep {{nap}} &
sleep 900 &
echo ready
