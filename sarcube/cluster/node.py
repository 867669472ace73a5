"""What runs first on a machine in AWS: fetch the cluster's secrets, then become the scheduler or worker.

    python -m sarcube.cluster.node /sarcube/ec2 -- python -m distributed.cli.dask_scheduler ...

So neither keys nor credentials stand in the machine's user data or in the arguments of its container. A scheduler
names, and may read, the folder of the certificates only.
"""

from __future__ import annotations

import os
import sys

from sarcube.cluster.aws_session import pages
from sarcube.extras import need


def main(arguments: list[str]) -> None:
    """Replace this process by the command, with the secrets in its environment."""
    own, command = arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]
    (path,) = own
    ssm = need("botocore.session", "aws").get_session().create_client("ssm")
    for parameter in pages(ssm, "get_parameters_by_path", "Parameters", Path=path, Recursive=True, WithDecryption=True):
        os.environ[parameter["Name"].rsplit("/", 1)[1]] = parameter["Value"]
    program = sys.executable if command[0] == "python" else command[0]
    os.execvp(program, [program, *command[1:]])


if __name__ == "__main__":
    main(sys.argv[1:])
