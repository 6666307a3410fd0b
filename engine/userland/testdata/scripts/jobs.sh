sleep 0.05 & p=$!; wait $p; echo $?
(exit 7) & wait $!; echo $?
sleep 30 & kill $!; wait $!; echo $?
sleep 30 & kill -9 $!; wait $!; echo $?
for i in 9 1 5; do (sleep 0.$i; echo $i) & done; wait
x=1; { echo "job sees $x"; x=2; } & wait; echo $x
f() { echo "f $*"; }; f in background & wait
echo to a pipe | cat & wait
(sleep 0.05; exit 3) & (sleep 0.5; exit 4) & wait -n; echo $?; wait
timeout 0.05 sleep 5; echo $?; timeout 5 true; echo $?
timeout -s KILL 0.05 sleep 5; echo $?
sleep 0.3 & p=$!; kill -STOP $p; kill -CONT $p; wait $p; echo $?
wait; echo none $?
wait 99999999 2>/dev/null; echo $?
nosuchprogram & wait $!; echo $?
echo $(sleep 0.05 & echo started) 
{ sleep 0.3; echo late; } & echo early; wait
sh -c 'sleep 0.05 & wait $!; echo inner $?'
true & true & wait; jobs; echo end
