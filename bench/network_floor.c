/* network_floor FILE: the yardstick of bench/network.
 *
 * The fewest calls that still make a network namespace, kept at FILE, with lo up,
 * a pair whose other end is a port of br0, two addresses and a default route: one
 * process, one socket on each side. It looks for nothing that may be there already,
 * and leaves what is half done. The pair has one queue, as that of unshared-cli.
 *
 * Exit status: 0, or 1 with the name of what failed. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

static union {
	struct nlmsghdr header;
	char bytes[512];
} request;

static void failed(const char *what)
{
	perror(what);
	exit(1);
}

static void begin(int type, int flags, const void *fixed, size_t length)
{
	memset(&request, 0, sizeof request);
	request.header.nlmsg_type = type;
	request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	memcpy(request.bytes + NLMSG_HDRLEN, fixed, length);
	request.header.nlmsg_len = NLMSG_HDRLEN + NLMSG_ALIGN(length);
}

static struct rtattr *put(int type, const void *value, size_t length)
{
	struct rtattr *one = (void *)(request.bytes + request.header.nlmsg_len);

	one->rta_type = type;
	one->rta_len = RTA_LENGTH(length);
	if (length)
		memcpy(RTA_DATA(one), value, length);
	request.header.nlmsg_len += RTA_SPACE(length);
	return one;
}

static void end(struct rtattr *nest)
{
	nest->rta_len = request.bytes + request.header.nlmsg_len - (char *)nest;
}

static void ask(int socket, const char *what)
{
	char answer[1024];

	if (send(socket, &request, request.header.nlmsg_len, 0) < 0 ||
	    recv(socket, answer, sizeof answer, 0) < 0)
		failed(what);
	if (((struct nlmsgerr *)NLMSG_DATA((struct nlmsghdr *)answer))->error) {
		fprintf(stderr, "%s: refused\n", what);
		exit(1);
	}
}

static void bring_up(int socket, int index)
{
	struct ifinfomsg link = { .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };

	begin(RTM_NEWLINK, 0, &link, sizeof link);
	ask(socket, "up");
}

static void pair(int socket, int bridge, int namespace)
{
	struct ifinfomsg link = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP }, other = { 0 };
	struct rtattr *info, *data, *peer;
	int one = 1;

	begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
	put(IFLA_IFNAME, "v0", 3);
	put(IFLA_MASTER, &bridge, 4);
	put(IFLA_NUM_TX_QUEUES, &one, 4);
	put(IFLA_NUM_RX_QUEUES, &one, 4);
	info = put(IFLA_LINKINFO, NULL, 0);
	put(IFLA_INFO_KIND, "veth", 4);
	data = put(IFLA_INFO_DATA, NULL, 0);
	peer = put(VETH_INFO_PEER, &other, sizeof other);
	put(IFLA_IFNAME, "eth0", 5);
	put(IFLA_NET_NS_FD, &namespace, 4);
	put(IFLA_NUM_TX_QUEUES, &one, 4);
	put(IFLA_NUM_RX_QUEUES, &one, 4);
	end(peer);
	end(data);
	end(info);
	ask(socket, "pair");
}

static void address(int socket, int family, int prefix, int index, const char *text)
{
	struct ifaddrmsg fixed = { family, prefix, family == AF_INET6 ? IFA_F_NODAD : 0, 0, index };
	char bytes[16];

	inet_pton(family, text, bytes);
	begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &fixed, sizeof fixed);
	put(IFA_LOCAL, bytes, family == AF_INET ? 4 : 16);
	put(IFA_ADDRESS, bytes, family == AF_INET ? 4 : 16);
	ask(socket, text);
}

int main(int count, char **words)
{
	struct rtmsg route = { .rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT,
			       .rtm_type = RTN_UNICAST };
	int outside = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int bridge = if_nametoindex("br0");
	int namespace, inside, link;
	struct in_addr gateway;

	if (count != 2 || outside < 0 || !bridge || unshare(CLONE_NEWNET))
		failed("unshare");
	namespace = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	inside = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	bring_up(inside, 1);
	pair(outside, bridge, namespace);
	link = if_nametoindex("eth0");
	address(inside, AF_INET, 24, link, "10.1.0.2");
	address(inside, AF_INET6, 64, link, "fd01::2");
	bring_up(inside, link);
	inet_pton(AF_INET, "10.1.0.1", &gateway);
	begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &route, sizeof route);
	put(RTA_GATEWAY, &gateway, 4);
	ask(inside, "route");
	close(open(words[1], O_CREAT | O_RDONLY | O_CLOEXEC, 0));
	if (mount("/proc/self/ns/net", words[1], NULL, MS_BIND, NULL))
		failed("mount");
	return 0;
}
