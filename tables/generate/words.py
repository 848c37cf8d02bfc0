"""Chinese words with how common they are, for segmentation and to know a mark that is a common word."""

import sources
from table import Table

MOST = 150_000
# Names of persons, places, organisations and others: a word that is a name is no sign of everyday language.
NAMES = {"nr", "nrt", "nrfg", "ns", "nt", "nz"}
# Trade words that a dictionary of 2012 lacks, with the class we give them. Ours.
TRADE = {
    9: "包邮 同款 新款 现货 正品 爆款 网红 秒杀 清仓 特价 优惠券 领券 满减 旗舰店 专卖店 专营店 淘宝 天猫 京东 拼多多 抖音 快手 直播间 主播 小红书 微商",
    8: "app android bluetooth cpu ddr diy gps hd hifi ios kids lcd led lite logo max mini nfc oled oversize plus pro rgb spf ssd style tws type ultra usb uv vip "
       "vlog wifi 平替 国货 潮牌 百搭 显瘦 加绒 加厚 修身 宽松 韩版 欧美 ins风 ins 高腰 阔腿裤 卫衣 打底裤 打底衫 连衣裙 半身裙 羽绒服 冲锋衣 防晒衣 瑜伽裤 运动鞋 "
       "老爹鞋 小白鞋 帆布鞋 洞洞鞋 棉拖鞋 家居服 睡衣 情侣装 亲子装 汉服 童装 婴儿 宝宝 辅食 纸尿裤 拉拉裤 湿巾 奶瓶 奶粉 学步车 婴儿车 安全座椅",
    7: "手机壳 钢化膜 数据线 充电宝 充电器 快充 蓝牙耳机 无线耳机 降噪 智能手表 手环 平板电脑 笔记本电脑 机械键盘 鼠标垫 显示器 投影仪 路由器 摄像头 "
       "扫地机器人 洗地机 吸尘器 空气炸锅 破壁机 电饭煲 电磁炉 微波炉 烤箱 养生壶 保温杯 吸管杯 玻璃杯 收纳盒 收纳箱 置物架 衣架 垃圾袋 保鲜膜 洗衣液 洗衣凝珠 "
       "面膜 面霜 精华液 爽肤水 卸妆水 洗面奶 洁面 防晒霜 粉底液 气垫 口红 唇釉 眼影 眉笔 睫毛膏 美瞳 香水 洗发水 护发素 沐浴露 身体乳 护手霜 牙膏 电动牙刷",
    5: "三黄片",
    6: "螺蛳粉 自热锅 预制菜 零食大礼包 坚果 每日坚果 冻干 燕麦片 奶茶 咖啡豆 茶包 猫粮 狗粮 猫砂 猫条 宠物 四件套 被套 床笠 乳胶枕 凉席 窗帘 地垫 壁纸 "
       "免打孔 可折叠 便携式 大容量 高颜值 送礼 伴手礼 礼盒装 家用 车载 户外 露营 帐篷 睡袋 登山包 双肩包 斜挎包 行李箱 拉杆箱 钓鱼竿 电动车 头盔 "
       "官方 官网 正版 原装 代购 海淘 保税 直邮 免税 专柜 尾货 外贸 原单 高仿 复刻 一比一 定制 批发 代发 厂家 直销 工厂 源头 包装 套装 组合装 家庭装 试用装 小样 "
       "七天无理由 运费险 假一赔十 假一赔三 闪购 预售 定金 尾款 双十一 双十二 六一八 开学季 年货节 新品 上新 限量 限定 联名 周边 盲盒 手办 种草 拔草 测评 好评 差评",
}


def make():
    classes, names = {}, {}
    words = sources.jieba()
    for folded, (_, count, tag) in zip(sources.fold([word for word, _, _ in words]), words):
        if any(c in sources.folds() for c in folded):
            classes[folded] = classes.get(folded, 0) + count
            # A character alone is tagged as a name wherever it is a surname or a country's short form.
            names[folded] = names.get(folded, True) and tag in NAMES and len(folded) > 1
    usual = sorted(classes, key=lambda word: (-classes[word], word))[:MOST]
    rows = {word: (max(classes[word], 1).bit_length() - 1, names[word]) for word in usual}
    for frequency, listed in TRADE.items():
        for word in listed.split():
            known, _ = rows.get(word, (0, False))
            rows[word] = (max(known, frequency), False)
    return Table("words", ["word", "class", "name"],
                 [(word, str(frequency), "name" if name else "") for word, (frequency, name) in rows.items()])
