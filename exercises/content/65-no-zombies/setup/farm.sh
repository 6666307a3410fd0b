#!/bin/sh
sh -c 'true & true'
sh -c 'true & true'
exec sleep {{nap}}
