"""Digits and letters that stand for Chinese characters by number or by sound. The list is our own."""

import sources
from table import Table

NUMBERS = {
    "0": "零 〇 洞 zero", "1": "一 壹 弌 幺 one", "2": "二 贰 弍 两 俩 two", "3": "三 叁 弎 仨 three", "4": "四 肆 亖 four",
    "5": "五 伍 five", "6": "六 陆 six", "7": "七 柒 拐 seven", "8": "八 捌 eight", "9": "九 玖 勾 nine",
    "10": "十 拾 ten", "20": "廿 卄 twenty", "30": "卅 thirty", "40": "卌 forty", "100": "百 佰 hundred",
    "1000": "千 仟 k thousand", "10000": "万 w",
}
SOUNDS = {
    "0": "零 灵 铃 令 你 您 哦", "1": "一 衣 依 医 要 意 姨", "2": "爱 而 儿 饿 耳", "3": "三 生 山 散 伞 闪", "4": "是 死 思 事 丝 斯 世 四 私",
    "5": "我 无 吾 舞 呜 屋 武 物", "6": "六 了 流 溜 刘 牛 绿 禄", "7": "七 妻 去 期 气 齐 起 亲 吃 奇", "8": "八 吧 发 爸 巴 罢 不 霸 芭",
    "9": "九 就 久 酒 旧 救 究", "10": "十 是 时 实 石", "58": "我发", "88": "拜拜 爸爸 发发", "520": "我爱你", "521": "我爱你",
    "1314": "一生一世", "666": "溜溜溜", "555": "呜呜呜", "94": "就是", "51": "无忧 我要", "61": "儿童", "4s": "是的",
    "a": "啊 阿 诶", "b": "不 比 逼 币 笔 八 被", "c": "西 吸 希 斯 菜 草", "d": "的 弟 第 帝 地 迪", "e": "一 易 亿 伊 医 宜 鹅",
    "f": "福 付 飞", "g": "鸡 记 吉 个 哥 机 寄", "h": "和 喝 好", "i": "爱 艾", "j": "级 机 鸡 捷 杰", "k": "克 开 科 可 卡 客",
    "l": "了 乐 露 来", "m": "妹 吗 没 麻 莓 美 么", "n": "你 恩 嗯 年 呢", "o": "欧 哦 噢 喔", "p": "屁 皮 批 片 拍 品",
    "q": "球 亲 求 裘 去 秋", "r": "人 日 阿", "s": "是 死 思 斯 丝 艾斯", "t": "体 踢 替 提 天 题", "u": "有 优 你 油 悠 友 尤",
    "v": "微 威 维 薇 味", "w": "我 微 万 玩", "x": "小 叉 喜 西 新 爱克斯", "y": "歪 外 呀 鱼", "z": "在 子 字 这",
    "ai": "爱", "bb": "宝宝 宝贝 包包", "dd": "弟弟", "gg": "哥哥 广告", "jj": "姐姐", "mm": "妹妹", "qq": "亲亲 球球", "vx": "微信",
    "wx": "微信", "v信": "微信", "w信": "微信", "+": "加 家 佳 嘉", "+v": "加微", "♥": "爱 心", "❤": "爱 心", "✌": "耶 威",
    "☀": "阳 日 太阳", "★": "星", "☆": "星", "☎": "电话", "✉": "信", "♨": "温 热 汤", "☂": "雨 伞", "♂": "男", "♀": "女",
    "×": "叉 乘", "√": "对 勾", "%": "百分之", "=": "等 等于", "@": "艾特 爱特", "€": "欧", "¥": "元 羊 钱", "￥": "元 羊 钱", "$": "刀 美元",
}


def make():
    rows = []
    for kind, table in (("number", NUMBERS), ("sound", SOUNDS)):
        forms = dict(zip(table, sources.fold(list(table))))
        for form, stands_for in table.items():
            if forms[form] not in ("", form):
                # The fold keeps a part of it (the letter of "+v"), which has a line of its own.
                continue
            meanings = [meaning for meaning in stands_for.split() if kind == "number" or meaning not in NUMBERS.get(form, "").split()]
            rows.append((form, kind, "unit" if forms[form] else "gap", " ".join(meanings)))
    return Table("digits", ["form", "kind", "place", "stands for"], rows)
