/* The payload of the benchmark: a program that has nothing to do, so that what
 * is measured is its launcher. */

int main(void)
{
	return 0;
}
