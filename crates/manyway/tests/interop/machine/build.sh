#!/bin/sh
# Makes the kernel and the initial file system of a virtual machine with Linux' own SCTP in
# DIRECTORY: vmlinuz and initrd. Nothing is installed. Usage: build.sh DIRECTORY PEER_PROGRAM
# Needs Debian's apt-get and dpkg-deb, and busybox (busybox-static).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
directory=$1
peer=$2
# What the network card and SCTP need, in this order; a kernel may have some of it built in.
modules="virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci failover
    net_failover virtio_net libcrc32c udp_tunnel ip6_udp_tunnel sctp"

cd "$directory"
if [ ! -d kernel ]; then
    package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-/ { print $2; exit }')
    apt-get download "$package"
    dpkg-deb -x "$package"_*.deb kernel.new
    mv kernel.new kernel
fi
cp kernel/boot/vmlinuz-* vmlinuz

rm -rf root
mkdir -p root/bin root/modules
cp /bin/busybox root/bin/busybox
cp "$peer" root/peer
cp "$here/init" root/init
chmod +x root/init root/peer
for module in $modules; do
    file=$(find kernel/lib/modules -name "$module.ko*")
    [ -n "$file" ] || continue
    case $file in
    *.xz) xz -dc "$file" >"root/modules/$module.ko" ;;
    *) cp "$file" "root/modules/$module.ko" ;;
    esac
    echo "$module" >>root/modules/order
done
(cd root && find . | busybox cpio -o -H newc) >initrd
