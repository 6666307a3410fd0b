#!/bin/sh
sleep {{nap}} &
echo ready
