#!/bin/sh
# mmdebstrap's hook for the base image: $1 is the root folder with the packages unpacked. Does what
# their maintainer scripts would, as far as the lab needs it; running those takes most of the time
# that a normal bootstrap does.
set -eu
root=$1
cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
cat "$root"/usr/share/ca-certificates/mozilla/*.crt >"$root/etc/ssl/certs/ca-certificates.crt"
for family in ip ip6; do
  for program in tables tables-save tables-restore; do
    ln -s xtables-nft-multi "$root/usr/sbin/$family$program"
  done
done
mkdir -p "$root/tmp"
chmod 1777 "$root/tmp"
chroot "$root" /usr/bin/curl --version
chroot "$root" /usr/sbin/iptables --version
