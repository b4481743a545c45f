#include "service/hypervisor/domain_template.h"

namespace emplace {

std::string_view default_domain_template() {
  return R"(<domain type='${domain_type}'>
  <name>${name}</name>
  <uuid>${uuid}</uuid>
  <metadata>
    <emplace:vm xmlns:emplace="https://emplace.dev/xmlns/1" claim="${claim}"/>
  </metadata>
  <memory unit='MiB'>${memory_mib}</memory>
  <currentMemory unit='MiB'>${memory_mib}</currentMemory>
  <vcpu placement='static'${?cell_cpus} cpuset='${cell_cpus}'${/cell_cpus}>${vcpus}</vcpu>
  ${?cell_nodes}<numatune><memory mode='${cell_mode}' nodeset='${cell_nodes}'/></numatune>${/cell_nodes}
  <os>
    <type arch='${arch}'${?parameter.machine} machine='${parameter.machine}'${/parameter.machine}>hvm</type>
    ${?parameter.kernel}<kernel>${parameter.kernel}</kernel>${/parameter.kernel}
    ${?parameter.initramfs}<initrd>${parameter.initramfs}</initrd>${/parameter.initramfs}
    ${?parameter.initrd}<initrd>${parameter.initrd}</initrd>${/parameter.initrd}
    ${?parameter.cmdline}<cmdline>${parameter.cmdline}</cmdline>${/parameter.cmdline}
  </os>
  <features><acpi/></features>
  ${?parameter.cpu_model}<cpu mode='custom' match='exact'>
    <model fallback='allow'>${parameter.cpu_model}</model>
  </cpu>${/parameter.cpu_model}
  <on_reboot>restart</on_reboot>
  <devices>
    ${?parameter.emulator}<emulator>${parameter.emulator}</emulator>${/parameter.emulator}
    ${?parameter.disk}<disk type='file' device='disk'>
      <driver name='qemu' type='${parameter.disk_format:-raw}' cache='${parameter.disk_cache:-none}'/>
      <source file='${parameter.disk}'/>
      <target dev='${parameter.disk_target:-vda}' bus='${parameter.disk_bus:-virtio}'/>
    </disk>${/parameter.disk}
    ${?parameter.cdrom}<disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/>
      <source file='${parameter.cdrom}'/>
      <target dev='sda' bus='${parameter.cdrom_bus:-ide}'/>
      <readonly/>
    </disk>${/parameter.cdrom}
    ${?parameter.network}<interface type='network'>
      <source network='${parameter.network}'/>
      ${?parameter.mac}<mac address='${parameter.mac}'/>${/parameter.mac}
      <model type='${parameter.nic_model:-virtio}'/>
    </interface>${/parameter.network}
    ${?parameter.bridge}<interface type='bridge'>
      <source bridge='${parameter.bridge}'/>
      ${?parameter.mac}<mac address='${parameter.mac}'/>${/parameter.mac}
      <model type='${parameter.nic_model:-virtio}'/>
    </interface>${/parameter.bridge}
    ${?parameter.console}<serial type='file'><source path='${parameter.console}' append='on'/></serial>${/parameter.console}
    ${!parameter.console}<serial type='pty'/>${/parameter.console}
    <memballoon model='virtio'><stats period='10'/></memballoon>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
</domain>
)";
}

}  // namespace emplace
