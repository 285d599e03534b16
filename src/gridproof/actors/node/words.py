"""Sentences about a node that are said in several places."""


def words_of_standstill(height: int, for_s: int, waiting: int) -> str:
    """That no block comes though transactions wait.

    Args:
        height: of the last block.
        for_s: how long ago it came, seconds.
        waiting: how many transactions wait.
    """
    what = "1 transaction waits" if waiting == 1 else f"{waiting} transactions wait"
    return (
        f"No block since height {height} for {for_s} s, and {what}: "
        "more than a third of the validators' power may be down. It goes on by itself once they are back."
    )
