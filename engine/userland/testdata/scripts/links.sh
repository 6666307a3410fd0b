mkdir -p /tmp/links/d && cd /tmp/links
echo data > f; ln f h; ln -s f s; ln -s nowhere broken; ln -s d dl
stat -c '%h %F' f; cat h s; readlink s; readlink broken
cat broken 2>&1; test -L broken && echo link; test -e broken || echo broken
rm f; cat h; cat s 2>&1; stat -c %h h
echo again > f; cat s; echo via > s; cat f
ls -l s | sed 's/.* s/s/'; ls -F | cat
ln f h 2>&1; ln -sf h s; readlink s; ln -s x s 2>&1
touch d/in; ls dl; cd dl && pwd && pwd -P; cd ..
ln -s loop loop; cat loop 2>&1
readlink -f dl/in; realpath s
mv dl moved; readlink moved; cp -P moved copy; readlink copy; cp h real; test -L real || echo file
rm moved; ls d; rm -r d; ls
mkdir t; ln -s ../h t/up; cat t/up; find . -type l | sort
ln -s t tt; ls -d tt/; rm -r tt; ls t
