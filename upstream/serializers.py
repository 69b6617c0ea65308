"""The JSON of a dial."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from calls.api.known_names import KnownFields
from upstream.dialing import PROVIDERS, MissingField, Order, new_order

VARIABLES_MAX = 200
OWN_VARIABLE = "call_sid"


class DialSerializer(KnownFields):
    """A call to place. The settings' agent and phone number are used where none is named. `save()` returns an Order."""

    driver_id = serializers.CharField(max_length=255)
    to_number = serializers.CharField(max_length=64, help_text="E.164, or a number of DIAL_DEFAULT_REGION.")
    agent_id = serializers.CharField(max_length=255, required=False, allow_blank=True)
    phone_number_id = serializers.CharField(max_length=255, required=False, allow_blank=True)
    provider = serializers.ChoiceField(choices=PROVIDERS, default=PROVIDERS[0])
    dynamic_variables = serializers.DictField(
        required=False, help_text="Texts, numbers, true and false. `call_sid` is callsite's own."
    )
    prompt = serializers.CharField(required=False, allow_blank=True, max_length=100_000)
    first_message = serializers.CharField(required=False, allow_blank=True, max_length=10_000)

    def validate_dynamic_variables(self, variables: dict[str, Any]) -> dict[str, Any]:
        if OWN_VARIABLE in variables:
            raise serializers.ValidationError(f"{OWN_VARIABLE} is callsite's own variable.")
        if len(variables) > VARIABLES_MAX:
            raise serializers.ValidationError(f"At most {VARIABLES_MAX} variables.")
        for name, value in variables.items():
            if not isinstance(value, str | int | float | bool):
                raise serializers.ValidationError(f"{name} must be a text, a number, true or false.")
        return variables

    def create(self, validated_data: dict[str, Any]) -> Order:
        try:
            return new_order(**validated_data)
        except MissingField as error:
            raise serializers.ValidationError({error.field: [str(error)]}) from None
