#include "service/hypervisor/xml.h"

#include <gtest/gtest.h>

namespace emplace {
namespace {

TEST(DomainXml, TellsWhoseADomainIs) {
  const auto ours = read_domain_xml(
      "<domain type='kvm'><name>a &amp; b</name><uuid>00000000-0000-4000-8000-000000000007</uuid><metadata>"
      "<e:vm xmlns:e='https://emplace.dev/xmlns/1' claim='00000000-0000-4000-8000-000000000009'/></metadata></domain>");
  ASSERT_TRUE(ours) << ours.error().message;
  EXPECT_EQ(ours->name, "a & b");
  EXPECT_EQ(ours->id, parse_uuid("00000000-0000-4000-8000-000000000007"));
  EXPECT_EQ(ours->claim, parse_uuid("00000000-0000-4000-8000-000000000009"));
  EXPECT_FALSE(ours->nova);
}

TEST(DomainXml, KnowsNovaInEveryVersion) {
  for (const char* const version : {"1.0", "1.1", "2.0"}) {
    const auto domain =
        read_domain_xml(std::string("<domain><metadata><x:instance xmlns:x='http://openstack.org/xmlns/libvirt/nova/") +
                        version + "'><x:name>n</x:name></x:instance></metadata></domain>");
    ASSERT_TRUE(domain);
    EXPECT_TRUE(domain->nova) << version;
  }
}

TEST(DomainXml, DoesNotTakeADescriptionForMetadata) {
  const auto domain = read_domain_xml(
      "<domain><description>http://openstack.org/xmlns/libvirt/nova/1.1</description>"
      "<devices><vm xmlns='https://emplace.dev/xmlns/1' "
      "claim='00000000-0000-4000-8000-000000000009'/></devices></domain>");
  ASSERT_TRUE(domain);
  EXPECT_FALSE(domain->nova);
  EXPECT_FALSE(domain->claim);
}

TEST(DomainXml, ReadsWhatItMayGrowToAndItsDisks) {
  const auto domain = read_domain_xml(
      "<domain><name>n</name><memory unit='KiB'>524288</memory><currentMemory unit='KiB'>262144</currentMemory>"
      "<maxMemory slots='4' unit='GiB'>2</maxMemory><vcpu current='2'>8</vcpu><devices>"
      "<disk type='file' device='cdrom'><source file='/iso'/><target dev='sda'/></disk>"
      "<disk type='file'><source file='/a'/><target dev='vda'/></disk>"
      "<disk type='block' device='disk'><source dev='/dev/x'/><target dev='vdb'/></disk>"
      "<disk type='file' device='disk'><source file='/shared'/><target dev='vdc'/><readonly/></disk>"
      "<disk type='file' device='disk'><target dev='vdd'/></disk></devices></domain>");
  ASSERT_TRUE(domain) << domain.error().message;
  EXPECT_EQ(domain->vcpus_max, 8);
  EXPECT_EQ(domain->memory_max_mib, 2048);
  ASSERT_EQ(domain->disks.size(), 2u);
  EXPECT_EQ(domain->disks[0].target + domain->disks[0].path, "vda/a");
  EXPECT_EQ(domain->disks[1].target + domain->disks[1].path, "vdb/dev/x");
}

TEST(PoolXml, ReadsTypeAndTarget) {
  const auto pool = read_pool_xml("<pool type='dir'><name>n</name><target><path>/p</path></target></pool>");
  ASSERT_TRUE(pool) << pool.error().message;
  EXPECT_EQ(pool->type + ' ' + pool->path, "dir /p");
}

TEST(DomainXml, NamesTheLineOfBrokenXml) {
  const auto domain = read_domain_xml("<domain>\n<name>a</domain>");
  ASSERT_FALSE(domain);
  EXPECT_EQ(domain.error().message.substr(0, 8), "line 2: ");
  EXPECT_FALSE(read_domain_xml(""));
}

TEST(CapabilitiesXml, ReadsCellsAndDomainTypesOfTheHostsOwnArch) {
  const auto host = read_capabilities_xml(
      "<capabilities><host><cpu><arch>x86_64</arch></cpu><topology><cells num='2'>"
      "<cell id='0'><memory unit='KiB'>1048576</memory><cpus num='2'><cpu id='0'/><cpu id='2'/></cpus></cell>"
      "<cell id='1'><memory unit='KiB'>2097152</memory><cpus num='1'><cpu "
      "id='1'/></cpus></cell></cells></topology></host>"
      "<guest><os_type>hvm</os_type><arch name='i686'><domain type='xen'/></arch></guest>"
      "<guest><os_type>hvm</os_type><arch name='x86_64'><domain type='qemu'/><domain "
      "type='kvm'/></arch></guest></capabilities>");
  ASSERT_TRUE(host) << host.error().message;
  EXPECT_EQ(host->arch, "x86_64");
  EXPECT_EQ(host->domain_types, (std::vector<std::string>{"qemu", "kvm"}));
  ASSERT_EQ(host->cells.size(), 2u);
  EXPECT_EQ(host->cells[0].cpus, (std::vector<int>{0, 2}));
  EXPECT_EQ(host->cells[1].id, 1u);
  EXPECT_EQ(host->cells[1].memory_mib, 2048);
}

}  // namespace
}  // namespace emplace
