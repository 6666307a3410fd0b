#!/bin/sh
echo ready
exec sleep {{nap}}
