mkdir -p /tmp/modes && cd /tmp/modes
: > f; mkdir d
chmod 644 f; stat -c '%a %A' f
chmod u+x,g-r,o= f; stat -c '%a %A' f
mkdir sticky; chmod 1777 sticky; stat -c '%a %A' sticky; chmod 755 d; chmod u-w,o+w d; stat -c %a d
chmod 4755 f; stat -c '%a %A' f; ls -l f | cut -c1-10
chmod 600 f nofile 2>&1; echo $?
chmod -R u=rwX,go=rX .; stat -c '%a %n' f d
chown 1000:1001 f; stat -c '%u:%g' f
chown 2000 f; stat -c '%u:%g' f; chgrp 7 f; stat -c %g f
chown root:root f; stat -c '%U:%G' f
ln -s f l; chown -h 5:6 l; stat -c '%u:%g' l f
mkdir -p d/e; chown -R 3:4 d; stat -c '%u:%g %n' d d/e
test -x f && echo runs; chmod a-x f; test -x f || echo "does not"
echo 'echo script $1' > s; chmod 755 s; ./s arg
chmod 644 s; ./s; echo $?
touch -d '2020-05-06 07:08:09' f; stat -c %y f | cut -c1-19
touch -r f g; [ f -nt g ] || [ f -ot g ] || echo same age
umask; (umask 077; umask); umask
id -u; id -un; whoami
