"""Nora's calls in German and Spanish."""

from __future__ import annotations

from simulator.scenario import Scenario

BREAKDOWN = Scenario(
    title="Panne auf der Autobahn",
    language="de",
    script="""
A: Guten Tag {first_name}, hier ist Nora von Nordlicht Freight. Ihr Fahrzeug {truck} steht seit 15 Minuten. Alles gut?
D: Leider nicht, der Motor wird zu heiß. Ich stehe auf dem Standstreifen kurz vor {city}.
A: Sind Sie in Sicherheit, hinter der Leitplanke und mit Warnweste?
D: Ja, das Warndreieck steht auch schon. ⚠️
A: Sehr gut. Ich rufe den Pannendienst. Brauchen Sie sonst noch Hilfe?
D: Nein, nur jemanden mit Kühlwasser – oder einen Abschlepper.
A: Der Wagen ist unterwegs und in etwa 35 Minuten bei Ihnen.
D: Und die Ladung? Die muss um {time} in {city} sein.
A: Ich habe beim Kunden Bescheid gesagt; {new_time} reicht auch noch.
D: Ein Glück. Vielen Dank für die schnelle Hilfe!
A: Gern geschehen. Ich melde mich in einer halben Stunde wieder.
D: Danke, bis dann. Tschüss!
""",
    summary="{first_name} steht mit überhitztem Motor vor {city}. Der Pannendienst kommt in 35 Minuten, "
    "der Kunde wartet bis {new_time}.",
    verdict="success",
    evaluation={
        "driver_is_safe": ("success", "Der Fahrer steht hinter der Leitplanke und trägt eine Warnweste."),
        "help_is_coming": ("success", "Der Pannendienst ist unterwegs."),
    },
    collected={"cause": "Motor überhitzt", "help_in_minutes": 35, "injured": False, "new_eta": "{new_time}"},
    small_talk="""
D: Hier rauschen die Autos ganz schön dicht vorbei.
A: Bleiben Sie bitte weit weg von der Fahrbahn. 🙏
D: Soll ich den Anhänger abkuppeln?
A: Nein, bitte warten Sie, bis der Pannendienst da ist.
D: Es fängt auch noch an zu regnen.
A: Das tut mir leid. Es dauert nicht mehr lange.
""",
)

COLD_CHAIN = Scenario(
    title="Temperatura del remolque",
    language="es",
    script="""
A: Hola {first_name}, soy Nora, de Nordlicht Freight. El sensor de tu remolque marca siete grados. ¿Lo has visto?
D: ¿Siete? Hace una hora estaba en cuatro. Espera, que paro un momento.
A: Claro, sin prisa. Dime cuando estés parado.
D: Ya estoy. La puerta de atrás no cerraba bien… ahora sí.
A: ¡Qué bien! ¿Ves bajar la temperatura?
D: Seis y medio… seis. Sí, está bajando. 🥶
A: Perfecto. Mira otra vez dentro de veinte minutos, por favor.
D: De acuerdo. ¿Tengo que avisar en {city}?
A: Ya lo hago yo. Te esperan a las {new_time} en el muelle {dock}.
D: Muchas gracias, Nora. ¡Menos mal que has llamado!
A: Para eso estoy. ¡Buen viaje, {first_name}!
D: Gracias, ¡adiós!
""",
    summary="El remolque de {first_name} llegó a 7 °C por una puerta mal cerrada; cerrada ya, la temperatura baja. "
    "Le esperan en {city} a las {new_time}.",
    verdict="success",
    evaluation={
        "cause_found": ("success", "La puerta trasera no estaba bien cerrada."),
        "temperature_falls": ("success", "El conductor vio bajar la temperatura a seis grados."),
    },
    collected={"temperature_celsius": 6.0, "cause": "puerta trasera", "load_is_safe": True},
    small_talk="""
D: La carretera está muy tranquila hoy.
A: Me alegro. Más adelante hay algo de niebla.
D: ¿Queda mucho para el próximo descanso?
A: Una hora larga, así que vas bien de tiempo. ☕
D: Vale, luego te mando una foto del sensor.
A: Gracias, la adjunto al pedido.
""",
)
