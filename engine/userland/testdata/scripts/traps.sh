trap 'echo usr1' USR1; kill -USR1 $$; sleep 0.05; echo after
trap 'echo "term"; t=1' TERM; kill $$; sleep 0.05; echo "t=$t"
trap '' INT; kill -INT $$; sleep 0.05; echo ignored
trap - USR1; sh -c 'kill -USR1 $$; sleep 1; echo not here'; echo $?
sh -c 'trap "echo bye" EXIT; echo hi; exit 5'; echo $?
sh -c 'trap "echo stop; exit 3" TERM; kill -TERM $$; sleep 1; echo not here'; echo $?
(trap 'echo sub ends' EXIT; echo sub); echo main
sh -c 'kill -9 $$'; echo $?
sh -c 'kill -s HUP $$; sleep 1'; echo $?
kill -l 15; kill -l KILL; kill -0 $$ && echo alive
kill -9 99999999 2>/dev/null; echo $?
trap 'echo last' EXIT
exit 2
