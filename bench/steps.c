/* steps FILE PROGRAM [ARGUMENT...]: runs the program, and those that it starts,
 * an instruction at a time, without address space randomization.
 *
 * Writes a line into FILE for each instruction, the process and the address, and
 * "E PROCESS" for each execve(2). Exit status: that of the program. */

#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **argument) {
	FILE *file = count < 3 ? NULL : fopen(argument[1], "w");
	if (file == NULL) {
		fprintf(stderr, "usage: steps FILE PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	pid_t child = fork();
	if (child == 0) {
		personality(ADDR_NO_RANDOMIZE);
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		execv(argument[2], argument + 2);
		_exit(127);
	}
	int status;
	waitpid(child, &status, 0);
	ptrace(PTRACE_SETOPTIONS, child, 0,
		   PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL);
	ptrace(PTRACE_SINGLESTEP, child, 0, 0);
	int result = 1;
	for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
		if (!WIFSTOPPED(status)) {
			if (pid == child) result = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
			continue;
		}
		int signal = WSTOPSIG(status), event = status >> 16;
		struct user_regs_struct registers;
		if (event == PTRACE_EVENT_EXEC) fprintf(file, "E %d\n", pid);
		if (ptrace(PTRACE_GETREGS, pid, 0, &registers) == 0)
			fprintf(file, "%d %llu\n", pid, (unsigned long long)registers.rip);
		if (event || signal == SIGTRAP || signal == SIGSTOP) signal = 0;
		ptrace(PTRACE_SINGLESTEP, pid, 0, signal);
	}
	if (fclose(file) != 0) return 1;
	return result;
}
