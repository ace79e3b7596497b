"""What classes are called in Chinese."""

from __future__ import annotations

_CHINESE = {
    "airplane": "飞机",
    "automobile": "汽车",
    "bird": "鸟",
    "cat": "猫",
    "deer": "鹿",
    "dog": "狗",
    "frog": "青蛙",
    "horse": "马",
    "ship": "船",
    "truck": "卡车",
    "RBC": "红细胞",
    "WBC": "白细胞",
    "Platelets": "血小板",
} | {str(digit): numeral for digit, numeral in enumerate("零一二三四五六七八九")}


def in_chinese(label: str) -> str | None:
    """The Chinese name of a class by its English one; None where it is not known."""
    return _CHINESE.get(label)
